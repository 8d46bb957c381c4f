package tensor

import (
	"archive/zip"
	"fmt"
	"io"
	"strings"
)

// Named is a tensor in an .npz file.
type Named struct {
	Name   string
	Tensor *Tensor
}

// ReadNpz reads every array of a NumPy .npz file, a zip archive of .npy files, in the order of the archive.
func ReadNpz(r io.ReaderAt, size int64) ([]Named, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	var out []Named
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			continue
		}
		t, err := readZipped(f)
		if err != nil {
			return nil, fmt.Errorf("array %q: %w", name, err)
		}
		out = append(out, Named{name, t})
	}
	return out, nil
}

func readZipped(f *zip.File) (*Tensor, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return ReadNpy(r)
}

// WriteNpz writes tensors as a NumPy .npz file; see WriteNpy for element types. Equal tensors give equal bytes.
func WriteNpz(w io.Writer, tensors []Named) error {
	z := zip.NewWriter(w)
	for _, n := range tensors {
		f, err := z.CreateHeader(&zip.FileHeader{Name: n.Name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if err := WriteNpy(f, n.Tensor); err != nil {
			return fmt.Errorf("array %q: %w", n.Name, err)
		}
	}
	return z.Close()
}
