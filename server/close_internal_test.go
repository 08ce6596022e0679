package server

import "testing"

// TestLaneDrainsFirst closes the lane before the HTTP server over it knows that it stops, as Close may: that is no failure.
func TestLaneDrainsFirst(t *testing.T) {
	t.Parallel()
	s, err := New(Config{
		GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0", AdminAddr: "127.0.0.1:0",
		Tenants: map[string]*Tenant{"contoso": {}}, Engine: struct{ Engine }{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.drain.start()
	if err := s.lane.Drain(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-s.Failed():
		t.Error(err)
	default:
	}
}
