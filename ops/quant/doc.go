// Package quant has the operators that convert between floats and quantized integers: QuantizeLinear,
// DequantizeLinear and DynamicQuantizeLinear.
package quant
