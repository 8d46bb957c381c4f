package all

import _ "github.com/sardonyx-ml/sardonyx/ops/backward" // SumTo
