// Package result shows, writes and digests the outputs of runs.
package result

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sardonyx-ml/sardonyx/onnx"
	"github.com/sardonyx-ml/sardonyx/onnx/tensor"
)

// Output is one output of a run.
type Output struct {
	Name  string
	Index int // among all outputs of the model
	Value tensor.Value
}

// Write stores outputs: path is an .npz or .json file, - for JSON on stdout, or a folder, which gets an
// output_N.pb for each.
func Write(path string, outs []Output, stdout io.Writer) error {
	switch {
	case path == "-":
		return writeJSON(stdout, outs)
	case strings.HasSuffix(path, ".json"):
		return create(path, func(w io.Writer) error { return writeJSON(w, outs) })
	case strings.HasSuffix(path, ".npz"):
		return create(path, func(w io.Writer) error { return writeNpz(w, outs) })
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	for _, o := range outs {
		if err := onnx.WriteValueFile(filepath.Join(path, fmt.Sprintf("output_%d.pb", o.Index)), o.Name, o.Value); err != nil {
			return err
		}
	}
	return nil
}

func create(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	b := bufio.NewWriter(f)
	if err := errors.Join(write(b), b.Flush(), f.Close()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func writeNpz(w io.Writer, outs []Output) error {
	var list []tensor.Named
	for _, o := range outs {
		t, ok := o.Value.(*tensor.Tensor)
		if !ok {
			return fmt.Errorf("output %q is %v: .npz holds tensors only, a folder or .json takes all", o.Name, o.Value.Type())
		}
		list = append(list, tensor.Named{Name: o.Name, Tensor: t})
	}
	return tensor.WriteNpz(w, list)
}

// Digest is the SHA-256 of names, types, shapes and elements of the outputs.
func Digest(outs []Output) string {
	h := sha256.New()
	for _, o := range outs {
		fmt.Fprintf(h, "%q ", o.Name)
		digest(h, o.Value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func digest(h hash.Hash, v tensor.Value) {
	if v == nil {
		fmt.Fprint(h, "nothing\n")
		return
	}
	fmt.Fprintf(h, "%v\n", v.Type())
	switch v := v.(type) {
	case *tensor.Tensor:
		h.Write(v.Bytes())
		for _, s := range v.Strs() {
			h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(s))))
			io.WriteString(h, s)
		}
	case *tensor.Sequence:
		for _, e := range v.Items {
			digest(h, e)
		}
	case *tensor.Optional:
		digest(h, v.Value)
	case *tensor.Map:
		fmt.Fprintf(h, "%d %q\n", v.Ints, v.Strs)
		digest(h, v.Values)
	}
}
