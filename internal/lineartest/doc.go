// Package lineartest holds the linearizability tests of the vault on real stores, and no other code. Writers in one process
// and in several read and change the same values at once; every call and every return is put into a history, and the model
// checker porcupine looks for one order of all operations that explains what each of them saw.
package lineartest
