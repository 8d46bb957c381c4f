package all

import _ "github.com/sardonyx-ml/sardonyx/ops/nn" // registers its operators
