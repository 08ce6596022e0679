// Package e2e tests the assembled gateway end to end: over gRPC and REST, against the simulator or a Graph that a test scripts.
package e2e
