package all

import _ "github.com/sardonyx-ml/sardonyx/ops/fused" // what passes put together
