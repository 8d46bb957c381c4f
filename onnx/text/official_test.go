package text

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// referenceModels calls f for each model of the official cases and of the folder of real models beside the repository.
func referenceModels(t *testing.T, f func(name string, data []byte)) {
	shared := filepath.Join("..", "..", "..", "shared")
	shared, err := filepath.EvalSymlinks(shared)
	if err != nil {
		t.Skip("no reference models: ", err)
	}
	filepath.WalkDir(shared, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
		case strings.HasSuffix(path, ".onnx"):
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			f(path, data)
		case strings.HasSuffix(path, ".tar.gz"):
			archiveModels(t, path, f)
		}
		return nil
	})
}

func archiveModels(t *testing.T, path string, f func(name string, data []byte)) {
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(h.Name, ".onnx") {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		f(h.Name, data)
	}
}

// plain removes from m what the syntax has no place for and brings tensors into one form.
func plain(t *testing.T, m protoreflect.Message) {
	switch p := m.Interface().(type) {
	case *onnxpb.TensorProto:
		if p.GetDataLocation() != onnxpb.TensorProto_EXTERNAL {
			v, err := onnx.Tensor(p)
			if err != nil {
				t.Fatal(err)
			}
			q := onnx.TensorProto(p.GetName(), v)
			proto.Reset(p)
			proto.Merge(p, q)
		} else {
			p.DocString = nil
		}
		return
	case *onnxpb.ModelProto:
		p.TrainingInfo, p.Configuration = nil, nil
	case *onnxpb.GraphProto:
		p.DocString, p.QuantizationAnnotation, p.MetadataProps = nil, nil, nil
		p.Name = proto.String(p.GetName())
	case *onnxpb.NodeProto:
		p.DocString, p.MetadataProps, p.DeviceConfigurations = nil, nil, nil
		if p.GetDomain() == "" {
			p.Domain = nil
		}
		if p.GetOverload() == "" {
			p.Overload = nil
		}
	case *onnxpb.ValueInfoProto:
		p.DocString, p.MetadataProps = nil, nil
		if p.GetType().GetValue() == nil {
			p.Type = nil
		}
	case *onnxpb.AttributeProto:
		p.DocString = nil
		if p.GetType() == 0 {
			p.Type = kindOf(p).Enum()
		}
	case *onnxpb.TypeProto:
		p.Denotation = nil
	case *onnxpb.TensorShapeProto_Dimension:
		p.Denotation = nil
	case *onnxpb.OperatorSetIdProto:
		p.Domain = proto.String(p.GetDomain())
	case *onnxpb.FunctionProto:
		p.MetadataProps = nil
	}
	m.SetUnknown(nil)
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				plain(t, v.List().Get(i).Message())
			}
		default:
			plain(t, v.Message())
		}
		return true
	})
}

func TestReferenceModelsSurvive(t *testing.T) {
	count, size := 0, 0
	referenceModels(t, func(name string, data []byte) {
		m, err := onnx.Parse(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if len(data) > 1<<20 { // the text of large weights takes its time and shows nothing new
			return
		}
		src, err := Format(m.Proto)
		if err != nil {
			if !strings.Contains(err.Error(), "sparse") {
				t.Errorf("%s: %v", name, err)
			}
			return
		}
		got, err := Parse(src)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		count, size = count+1, size+len(src)
		plain(t, got.ProtoReflect())
		plain(t, m.Proto.ProtoReflect())
		if !proto.Equal(got, m.Proto) {
			again, _ := Format(got)
			t.Errorf("%s: changed; text equal: %v", name, again == src)
		}
	})
	t.Logf("%d models, %d bytes of text", count, size)
}
