// Package text reads and writes the textual syntax of ONNX models, https://onnx.ai/onnx/repo-docs/Syntax.html:
//
//	<ir_version: 10, opset_import: ["" : 21]>
//	agraph (float[N, 128] x, float[128, 10] w) => (float[N, 10] y)
//	<float[10] bias = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}> {
//	   s = MatMul (x, w)
//	   t = Add (s, bias)
//	   y = Softmax <axis: int = -1> (t)
//	}
//
// Elements of the float16, bfloat16, float8 and float4 types are written as their bit patterns. Where the published grammar has
// no way to write a name, we quote it: attribute names, operators, and the domain as one part of a qualified name.
package text
