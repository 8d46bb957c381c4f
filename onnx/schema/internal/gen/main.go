// Command gen writes the operator table of package schema from a checkout of
// the ONNX specification (github.com/onnx/onnx).
//
//	go run ./onnx/schema/internal/gen -onnx CHECKOUT -o onnx/schema/onnx.txt
//
// It takes names, arities, types and defaults from docs/Changelog.md and
// docs/Changelog-ml.md, and from the definitions in onnx/defs what these two
// pages leave out or round (fixups.go). The format is described in
// schema/parse.go.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	checkout := flag.String("onnx", "", "path of a checkout of onnx/onnx")
	out := flag.String("o", "", "file to write")
	flag.Parse()
	if *checkout == "" || *out == "" {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*checkout, *out); err != nil {
		log.Fatal(err)
	}
}

func run(checkout, out string) error {
	var ops []*op
	for _, page := range []string{"docs/Changelog.md", "docs/Changelog-ml.md"} {
		text, err := os.ReadFile(filepath.Join(checkout, page))
		if err != nil {
			return err
		}
		parsed, err := parseChangelog(string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
		ops = append(ops, parsed...)
	}
	if err := fixup(ops, checkout); err != nil {
		return err
	}
	var b bytes.Buffer
	write(&b, ops)
	return os.WriteFile(out, b.Bytes(), 0o644)
}
