// Package configpb is the generated code of config.proto: the keys of the configuration file, with the rules for each value. It is no part
// of the public contract.
package configpb
