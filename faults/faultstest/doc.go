// Package faultstest examines every kind of the catalogue on real sockets through internal/proxy: the one exam that a new
// kind has to pass. Its tests are all it has; nothing imports it.
package faultstest
