#!/bin/bash -eu
# Builds every fuzz target of the module as ClusterFuzzLite wants it: as a libFuzzer binary named package_target.
export GOFLAGS=-buildvcs=false GOTOOLCHAIN=auto
go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}} {{.ImportPath}}{{end}}' ./... |
	while read -r dir path; do
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$dir"/*_test.go | while read -r target; do
			compile_native_go_fuzzer_v2 "$path" "$target" "${path##*/}_$target"
		done
	done
