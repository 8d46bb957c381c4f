//go:build purego || !amd64

package vec

func fromF16Vec([]float32, []uint16) int                          { return 0 }
func toF16Vec([]uint16, []float32) int                            { return 0 }
func fromBF16Vec([]float32, []uint16) int                         { return 0 }
func toBF16Vec([]uint16, []float32) int                           { return 0 }
func quantize8Vec(_ []uint8, _ []float32, _, _, _, _ float32) int { return 0 }
func dequantizeU8Vec(_ []float32, _ []uint8, _, _ float32) int    { return 0 }
func dequantizeS8Vec(_ []float32, _ []int8, _, _ float32) int     { return 0 }
func minMaxVec([]float32, *float32, *float32) int                 { return 0 }
