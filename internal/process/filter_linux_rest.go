//go:build linux && !amd64 && !arm64

package process

// abis is empty: the numbers of other machines have not been tried.
var abis []abi
