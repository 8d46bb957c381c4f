package onnx

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

// FuzzCheck checks that no model makes the checker panic.
func FuzzCheck(f *testing.F) {
	for _, cases := range checkCases {
		for _, tt := range cases {
			m := baseModel(f)
			tt.change(f, m)
			data, err := proto.Marshal(m)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(data)
		if err != nil {
			return
		}
		if v := Violations(m); len(v) > maxViolations+1 {
			t.Errorf("%d violations", len(v))
		}
	})
}
