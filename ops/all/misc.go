package all

import (
	_ "github.com/sardonyx-ml/sardonyx/ops/control"  // If, Loop, Scan, SequenceMap
	_ "github.com/sardonyx-ml/sardonyx/ops/image"    // Resize, GridSample, RoiAlign …
	_ "github.com/sardonyx-ml/sardonyx/ops/ml"       // ai.onnx.ml
	_ "github.com/sardonyx-ml/sardonyx/ops/reduce"   // reductions over axes
	_ "github.com/sardonyx-ml/sardonyx/ops/signal"   // Fourier transforms, windows
	_ "github.com/sardonyx-ml/sardonyx/ops/training" // optimizers
)
