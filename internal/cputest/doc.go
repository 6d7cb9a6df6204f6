// Package cputest says what a benchmark costs on a machine that does other things as well.
package cputest
