package onnx

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// Model is a model and the files that its tensors alias. A Model{Proto: p} made by hand is a model without a folder.
// Reading tensors is safe for concurrent use as long as nobody changes Proto.
type Model struct {
	Proto *onnxpb.ModelProto

	dir   string // where external data lies; empty: there is none
	files mappedFiles
}

// mappedFiles are the open mappings of a model by name; "" is the model's own.
type mappedFiles struct {
	mu     sync.Mutex
	byName map[string]*mapping
	closed bool
}

// mapping is the content of a file, mapped where the system can.
type mapping struct {
	data  []byte
	unmap func() error
}

// Load opens the model at path. It maps the file and aliases its weights, so that it takes little time and memory whatever
// their size; external data files are found in the same folder and mapped when Tensor first needs them. Close the model when
// neither it nor any tensor from it is in use any more.
func Load(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mapped, err := mapFile(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	m, err := Parse(mapped.data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), mapped.close())
	}
	m.dir = filepath.Dir(path)
	m.files.byName = map[string]*mapping{"": mapped}
	return m, nil
}

// Parse decodes a model. The model's weights alias data, which must not change while the model is in use. External data is
// out of reach unless SetDir says where it lies.
func Parse(data []byte) (*Model, error) {
	p := new(onnxpb.ModelProto)
	if err := unmarshal(data, p); err != nil {
		return nil, err
	}
	if p.Graph == nil && len(p.Functions) == 0 {
		return nil, errors.New("not an ONNX model: it has no graph")
	}
	return &Model{Proto: p}, nil
}

// Read decodes the model that r holds up to its end.
func Read(r io.Reader) (*Model, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Unmarshal decodes data into m, a TensorProto, SequenceProto, GraphProto or any other message of package onnxpb, with the
// checks of Parse. Long raw_data fields alias data.
func Unmarshal(data []byte, m proto.Message) error {
	if infoOf(m.ProtoReflect().Descriptor()) == nil {
		return fmt.Errorf("%s is not a message of the ONNX data model", m.ProtoReflect().Descriptor().FullName())
	}
	return unmarshal(data, m)
}

// Dir returns the folder of the model's external data, or "".
func (m *Model) Dir() string { return m.dir }

// SetDir sets the folder in which external data is looked up. Tensors of files that are open already stay valid.
func (m *Model) SetDir(dir string) {
	m.files.mu.Lock()
	defer m.files.mu.Unlock()
	m.dir = dir
}

// Close unmaps the files. No tensor or RawData that aliases them may be used afterwards: reading it would fault.
func (m *Model) Close() error {
	m.files.mu.Lock()
	defer m.files.mu.Unlock()
	var errs []error
	for _, f := range m.files.byName {
		errs = append(errs, f.close())
	}
	m.files.byName, m.files.closed = nil, true
	return errors.Join(errs...)
}

func (f *mapping) close() error {
	if f.unmap == nil {
		return nil
	}
	return f.unmap()
}

// mapFile maps the regular file f, which the caller may close at once.
func mapFile(f *os.File) (*mapping, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	if info.Size() == 0 {
		return &mapping{}, nil
	}
	if info.Size() != int64(int(info.Size())) {
		return nil, fmt.Errorf("%d bytes are more than this system can address", info.Size())
	}
	return mapRegular(f, int(info.Size()))
}
