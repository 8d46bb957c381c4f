package all

import _ "github.com/sardonyx-ml/sardonyx/ops/quant" // registers the quantization operators
