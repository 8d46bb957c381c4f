package all

import _ "github.com/sardonyx-ml/sardonyx/ops/elementwise" // registers the element-wise operators
