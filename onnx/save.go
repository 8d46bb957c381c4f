package onnx

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// maxProto is the largest message that protobuf implementations read.
const maxProto = math.MaxInt32

var errTooLarge = errors.New("more than the 2 GB that one protobuf file can hold")

// SaveOption changes how Save writes a model.
type SaveOption func(*saver)

// ExternalData makes Save write the initializers of threshold bytes and more to the file of that name in the model's folder,
// each at a multiple of 4096. An empty name stands for the model's with ".data" added. Constants in attributes and strings
// stay in the model.
func ExternalData(file string, threshold int) SaveOption {
	return func(s *saver) {
		s.external, s.threshold = true, threshold
		if file != "" {
			s.file = file
		}
	}
}

// Save writes the model to path. It writes temporary files in the same folder and renames them, so that path holds either
// the old content or all of the new one, and models that are mapped from these files stay intact. Equal models give equal
// bytes. External data of the model is written into the new files too: nothing refers to the old ones. Windows does not let a
// mapped file be replaced: close the model there before anything is saved over its files.
func Save(path string, m *Model, options ...SaveOption) error {
	s := saver{model: m, file: filepath.Base(path) + ".data"}
	for _, o := range options {
		o(&s)
	}
	if err := s.save(path); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

// Marshal encodes the model as Save without options does, except that external data stays where it is.
func Marshal(m *Model) ([]byte, error) { return marshal(m.Proto) }

func marshal(m proto.Message) ([]byte, error) {
	if _, err := messageSize(m); err != nil {
		return nil, err
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// messageSize returns the encoded size of m, or an error if it is too large for protobuf.
func messageSize(m proto.Message) (int, error) {
	n := (proto.MarshalOptions{}).Size(m)
	if n > maxProto {
		return 0, fmt.Errorf("the model takes %d bytes, %w", n, errTooLarge)
	}
	return n, nil
}

// writeFile writes a file through a temporary one beside it.
func writeFile(path string, write func(io.Writer) error) error {
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%x", filepath.Base(path), rand.Uint64()))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<16)
	if err = errors.Join(write(buffered), buffered.Flush(), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

// alignment is that of tensors in an external file: a page.
const alignment = 4096

type saver struct {
	model     *Model
	external  bool
	file      string
	threshold int

	chunks [][]byte // of the external file
	size   int64    // of the external file
}

func (s *saver) save(path string) error {
	p, err := s.prepare()
	if err != nil {
		return err
	}
	if _, err := messageSize(p); err != nil {
		if !s.external {
			err = fmt.Errorf("%w; save it with external data", err)
		}
		return err
	}
	if s.size > 0 {
		if err := writeFile(filepath.Join(filepath.Dir(path), s.file), s.writeChunks); err != nil {
			return err
		}
	}
	return writeFile(path, func(w io.Writer) error { return writeMessage(w, p) })
}

// prepare returns the messages to write and collects what goes to the external file.
func (s *saver) prepare() (*onnxpb.ModelProto, error) {
	p := s.model.Proto
	if p == nil {
		return nil, errors.New("the model is empty")
	}
	if s.external && (filepath.Base(s.file) != s.file || checkLocation(s.file) != nil) {
		return nil, fmt.Errorf("external data: %q is not a file name", s.file)
	}
	moves := s.external
	eachTensor(p.ProtoReflect(), func(t *onnxpb.TensorProto) {
		moves = moves || t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL
	})
	if !moves {
		return p, nil
	}
	copied, err := mapTensors(p.ProtoReflect(), "", s.place)
	if err != nil {
		return nil, err
	}
	return copied.Interface().(*onnxpb.ModelProto), nil
}

// place returns the message for p in its new place, which is p itself if that is where it was.
func (s *saver) place(p *onnxpb.TensorProto, field protoreflect.Name) (*onnxpb.TensorProto, error) {
	isExternal := p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL
	moves := s.external && field == "initializer" && p.GetDataType() != int32(onnxpb.TensorProto_STRING)
	if !isExternal && !moves {
		return p, nil
	}
	t, err := s.model.Tensor(p)
	if err != nil {
		return nil, err
	}
	moves = moves && len(t.Bytes()) >= s.threshold && len(t.Bytes()) > 0
	if !isExternal && !moves {
		return p, nil
	}
	out := TensorProto("", t)
	out.Name, out.DocString, out.MetadataProps = p.Name, p.DocString, p.MetadataProps
	if moves {
		offset := (s.size + alignment - 1) / alignment * alignment
		s.chunks = append(s.chunks, t.Bytes())
		s.size = offset + int64(len(t.Bytes()))
		out.RawData = nil
		out.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		out.ExternalData = []*onnxpb.StringStringEntryProto{
			entry("location", s.file), entry("offset", strconv.FormatInt(offset, 10)), entry("length", strconv.Itoa(len(t.Bytes()))),
		}
	}
	return out, nil
}

func entry(key, value string) *onnxpb.StringStringEntryProto {
	return &onnxpb.StringStringEntryProto{Key: &key, Value: &value}
}

func (s *saver) writeChunks(w io.Writer) error {
	var padding [alignment]byte
	var size int64
	for _, c := range s.chunks {
		if _, err := w.Write(padding[:(alignment-size%alignment)%alignment]); err != nil {
			return err
		}
		if _, err := w.Write(c); err != nil {
			return err
		}
		size = int64(len(c)) // from a multiple of the alignment
	}
	return nil
}
