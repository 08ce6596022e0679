package parley_test

import (
	"fmt"

	"github.com/parley-gateway/parley"
)

// Mistakes in a configuration are reported all at once, each with the path of its field.
func ExampleConfigErrors() {
	_, err := parley.New(parley.Config{
		Tenants: map[string]parley.Tenant{"contoso": {ID: "contoso", Credential: "client-secret", Version: "v2"}},
	})
	for _, wrong := range parley.ConfigErrors(err) {
		fmt.Println(wrong.Field)
	}
	// Output:
	// Tenants[contoso].ID
	// Tenants[contoso].Version
	// Tenants[contoso].ClientSecretFile
}
