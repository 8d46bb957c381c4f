module github.com/sardonyx-ml/sardonyx

go 1.26
