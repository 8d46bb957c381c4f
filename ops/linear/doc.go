// Package linear holds the operators of linear algebra: matrix products of floating-point, integer and quantized
// tensors, Einsum and Det.
package linear

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
	"github.com/sardonyx-ml/sardonyx/ops"
)

func unsupported(op string, d tensor.DType) error {
	return fmt.Errorf("%s of %v: %w", op, d, ops.ErrUnsupported)
}
