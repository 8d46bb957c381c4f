package onnx

import (
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/sardonyx-ml/sardonyx/onnx/onnxpb"
)

// maxProto is the largest message that protobuf implementations read.
const maxProto = math.MaxInt32

var errTooLarge = errors.New("more than the 2 GB that one protobuf file can hold")

// SaveOption changes how Save writes a model.
type SaveOption func(*saver)

// Save writes the model to path. It writes a temporary file in the same folder and renames it, so that path holds either
// the old content or all of the new one. Equal models give equal bytes.
func Save(path string, m *Model, options ...SaveOption) error {
	s := saver{path: path}
	for _, o := range options {
		o(&s)
	}
	p, err := s.prepare(m)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	data, err := marshal(p)
	if errors.Is(err, errTooLarge) {
		return fmt.Errorf("%s: %w; save it with external data", path, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeFile(path, func(w io.Writer) error { _, err := w.Write(data); return err })
}

// Marshal encodes the model, deterministically.
func Marshal(m *Model) ([]byte, error) { return marshal(m.Proto) }

func marshal(m proto.Message) ([]byte, error) {
	if n := (proto.MarshalOptions{}).Size(m); n > maxProto {
		return nil, fmt.Errorf("the model takes %d bytes, %w", n, errTooLarge)
	}
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// writeFile writes a file through a temporary one beside it.
func writeFile(path string, write func(io.Writer) error) error {
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%x", filepath.Base(path), rand.Uint64()))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	if err = errors.Join(write(f), f.Close()); err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

type saver struct {
	path string
}

func (s *saver) prepare(m *Model) (*onnxpb.ModelProto, error) {
	if m.Proto == nil {
		return nil, errors.New("the model is empty")
	}
	return m.Proto, nil
}
