package all

import (
	_ "github.com/sardonyx-ml/sardonyx/ops/control" // If, Loop, Scan, SequenceMap
	_ "github.com/sardonyx-ml/sardonyx/ops/reduce"  // reductions over axes
)
