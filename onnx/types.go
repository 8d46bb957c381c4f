package onnx

import (
	"fmt"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Type returns the type that p describes; nil and an empty message give the unknown type. An element type of 0 is unknown
// too; a negative dimension is, as dim_value -1 of old exporters means that.
func Type(p *onnxpb.TypeProto) (tensor.Type, error) {
	switch v := p.GetValue().(type) {
	case *onnxpb.TypeProto_TensorType:
		return denseType(tensor.KindTensor, v.TensorType.GetElemType(), v.TensorType.GetShape())
	case *onnxpb.TypeProto_SparseTensorType:
		return denseType(tensor.KindSparse, v.SparseTensorType.GetElemType(), v.SparseTensorType.GetShape())
	case *onnxpb.TypeProto_SequenceType:
		elem, err := Type(v.SequenceType.GetElemType())
		return tensor.SequenceType(elem), err
	case *onnxpb.TypeProto_OptionalType:
		elem, err := Type(v.OptionalType.GetElemType())
		return tensor.OptionalType(elem), err
	case *onnxpb.TypeProto_MapType:
		key, err := keyType(v.MapType.GetKeyType())
		if err != nil {
			return tensor.Type{}, err
		}
		elem, err := Type(v.MapType.GetValueType())
		return tensor.Type{Kind: tensor.KindMap, DType: key, Elem: &elem}, err
	case *onnxpb.TypeProto_OpaqueType:
		return tensor.Type{Kind: tensor.KindOpaque}, nil
	}
	return tensor.Type{}, nil
}

func keyType(code int32) (tensor.DType, error) {
	d, err := dtypeOf(code)
	if err == nil && (!d.IsInt() || d.Packed()) && d != tensor.String {
		err = fmt.Errorf("%v cannot be the key of a map", d)
	}
	return d, err
}

func denseType(kind tensor.Kind, code int32, shape *onnxpb.TensorShapeProto) (tensor.Type, error) {
	t := tensor.Type{Kind: kind, Ranked: shape != nil}
	if code != 0 {
		d, err := dtypeOf(code)
		if err != nil {
			return tensor.Type{}, err
		}
		t.DType = d
	}
	for _, dim := range shape.GetDim() {
		n := dim.GetDimValue()
		switch v := dim.GetValue().(type) {
		case *onnxpb.TensorShapeProto_Dimension_DimParam:
			t.Dims = append(t.Dims, tensor.Sym(v.DimParam))
		case *onnxpb.TensorShapeProto_Dimension_DimValue:
			if int64(int(n)) != n {
				return tensor.Type{}, fmt.Errorf("dimension %d is too large", n)
			}
			if n < 0 {
				t.Dims = append(t.Dims, tensor.Dim{})
			} else {
				t.Dims = append(t.Dims, tensor.Int(int(n)))
			}
		default:
			t.Dims = append(t.Dims, tensor.Dim{})
		}
	}
	return t, nil
}

// TypeProto returns the message for t; nil for the unknown type. Symbolic dimensions become dim_param in their textual form.
func TypeProto(t tensor.Type) *onnxpb.TypeProto {
	code := int32(t.DType)
	switch t.Kind {
	case tensor.KindTensor:
		v := &onnxpb.TypeProto_Tensor{ElemType: &code, Shape: shapeProto(t)}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: v}}
	case tensor.KindSparse:
		v := &onnxpb.TypeProto_SparseTensor{ElemType: &code, Shape: shapeProto(t)}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SparseTensorType{SparseTensorType: v}}
	case tensor.KindSequence:
		v := &onnxpb.TypeProto_Sequence{ElemType: TypeProto(t.Element())}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_SequenceType{SequenceType: v}}
	case tensor.KindOptional:
		v := &onnxpb.TypeProto_Optional{ElemType: TypeProto(t.Element())}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OptionalType{OptionalType: v}}
	case tensor.KindMap:
		v := &onnxpb.TypeProto_Map{KeyType: &code, ValueType: TypeProto(t.Element())}
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_MapType{MapType: v}}
	case tensor.KindOpaque:
		return &onnxpb.TypeProto{Value: &onnxpb.TypeProto_OpaqueType{OpaqueType: &onnxpb.TypeProto_Opaque{}}}
	}
	return nil
}

func shapeProto(t tensor.Type) *onnxpb.TensorShapeProto {
	if !t.Ranked {
		return nil
	}
	p := &onnxpb.TensorShapeProto{}
	for _, d := range t.Dims {
		dim := &onnxpb.TensorShapeProto_Dimension{}
		if n, ok := d.Int(); ok {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(n)}
		} else if d.Known() {
			dim.Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: d.String()}
		}
		p.Dim = append(p.Dim, dim)
	}
	return p
}
