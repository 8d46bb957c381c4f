package all

import _ "github.com/sardonyx-ml/sardonyx/ops/contrib" // com.microsoft
