package onnx

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// testCase is a case of the ONNX backend tests: its files by name relative to its folder.
type testCase map[string][]byte

// officialCases reads the archives of cases beside the repository, or skips the test.
func officialCases(t testing.TB) map[string]testCase {
	archives, _ := filepath.Glob(filepath.Join("..", "..", "shared", "conformance", "*.tar.gz"))
	if len(archives) == 0 {
		t.Skip("no archives of official cases in ../shared/conformance")
	}
	cases := map[string]testCase{}
	for _, archive := range archives {
		f, err := os.Open(archive)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		for r := tar.NewReader(z); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			name := path.Clean(h.Name)
			dir := path.Dir(name)
			if strings.HasPrefix(path.Base(dir), "test_data_set_") {
				dir = path.Dir(dir)
			}
			if cases[dir] == nil {
				cases[dir] = testCase{}
			}
			if cases[dir][strings.TrimPrefix(name, dir+"/")], err = io.ReadAll(r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return cases
}

func TestOfficialCases(t *testing.T) {
	models, values := 0, 0
	for name, c := range officialCases(t) {
		if c["model.onnx"] == nil {
			continue
		}
		m, err := Parse(c["model.onnx"])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		models++
		eachTensor(m.Proto.ProtoReflect(), func(p *onnxpb.TensorProto) {
			if _, err := m.Tensor(p); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		})
		for file, data := range c {
			var i int
			dir, base := path.Split(file)
			list := m.Proto.Graph.Input
			if _, err := fmt.Sscanf(base, "input_%d.pb", &i); err != nil {
				if list = m.Proto.Graph.Output; dir == "" {
					continue
				} else if _, err := fmt.Sscanf(base, "output_%d.pb", &i); err != nil {
					continue
				}
			}
			values++
			if err := checkValue(data, list[i].Type); err != nil {
				t.Errorf("%s: %s: %v", name, file, err)
			}
		}
	}
	t.Logf("%d models, %d values", models, values)
}

// checkValue decodes a value, compares its type with the declared one and writes and reads it again.
func checkValue(data []byte, typ *onnxpb.TypeProto) error {
	name, v, err := UnmarshalValue(data, typ)
	if err != nil {
		return err
	}
	want, err := Type(typ)
	if err != nil {
		return err
	}
	if want.Kind != tensor.KindSparse && want.Kind != tensor.KindMap {
		if _, err := v.Type().Merge(want); err != nil {
			return err
		}
	}
	p, err := ValueProto(name, v)
	if err != nil {
		return err
	}
	again, err := proto.Marshal(p)
	if err != nil {
		return err
	}
	if want.Kind == tensor.KindSparse {
		typ = nil
	}
	name2, v2, err := UnmarshalValue(again, typ)
	if err != nil {
		return err
	}
	if name2 != name || !equalValues(v, v2) {
		return fmt.Errorf("%q changed on the way out and in again", name)
	}
	return nil
}

func equalValues(a, b tensor.Value) bool {
	switch a := a.(type) {
	case *tensor.Tensor:
		b := b.(*tensor.Tensor)
		return a.DType() == b.DType() && a.Shape().Equal(b.Shape()) && bytes.Equal(a.Bytes(), b.Bytes()) && fmt.Sprint(a.Strs()) == fmt.Sprint(b.Strs())
	case *tensor.Sequence:
		b := b.(*tensor.Sequence)
		equal := len(a.Items) == len(b.Items) && fmt.Sprint(a.Elem) == fmt.Sprint(b.Elem)
		for i := range a.Items {
			equal = equal && equalValues(a.Items[i], b.Items[i])
		}
		return equal
	case *tensor.Optional:
		b := b.(*tensor.Optional)
		return (a.Value == nil) == (b.Value == nil) && (a.Value == nil || equalValues(a.Value, b.Value))
	case *tensor.Map:
		b := b.(*tensor.Map)
		return a.Key == b.Key && fmt.Sprint(a.Ints, a.Strs) == fmt.Sprint(b.Ints, b.Strs) && equalValues(a.Values, b.Values)
	}
	return false
}
