// Package elementwise has the operators that compute element k of the output from elements k of their broadcast
// inputs: unary mathematics and activations, arithmetic, comparison, logic, bits, Where, Clip and the casts.
//
// All of them run on one engine: a plan (broadcast.go) collapses the axes that no operand breaks up, so that inner
// loops are kernels over long slices; float16 and bfloat16 are converted to float32 and back in pieces that stay in
// the first-level cache.
package elementwise
