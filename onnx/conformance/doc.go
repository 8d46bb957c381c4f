// Package conformance finds, runs and judges cases in the layout of the ONNX backend tests
// (https://onnx.ai/onnx/repo-docs/OnnxBackendTest.html): folders with model.onnx and test_data_set_N/{input,output}_M.pb,
// and the "light" models, whose input is a ramp and whose expected output lies beside them. Archives (.tar.gz) of such
// folders are read too. The package doesn't know who runs the models: callers pass a Runtime.
package conformance
