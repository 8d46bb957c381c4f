package all

import (
	_ "github.com/sardonyx-ml/sardonyx/ops/conv" // convolutions and pooling
	_ "github.com/sardonyx-ml/sardonyx/ops/linear"
)
