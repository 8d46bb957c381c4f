package all

import _ "github.com/sardonyx-ml/sardonyx/ops/attention" // registers its operators
