//go:build azurite

package clouds_test

import (
	"bufio"
	"crypto/rand"
	"encoding/base64"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
)

// startAzurite starts the fake of Azure, a script of Node that the environment names, and returns the host and port where it listens.
func startAzurite(t *testing.T, account, key string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "node", os.Getenv("AZURITE"), "--blobHost", "127.0.0.1", "--blobPort", "0",
		"--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry")
	command.Dir, command.Stderr = t.TempDir(), os.Stderr
	command.Env = append(os.Environ(), "AZURITE_ACCOUNTS="+account+":"+key)
	said, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	listens := regexp.MustCompile(`listens on http://(\S+)`)
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if found := listens.FindStringSubmatch(lines.Text()); found != nil {
			return found[1]
		}
	}
	t.Fatalf("azurite did not start: %v", lines.Err())
	return ""
}

// TestAzure keeps objects in a container of Azure Blob Storage.
func TestAzure(t *testing.T) {
	secret := make([]byte, 64)
	if _, err := rand.Read(secret); err != nil {
		t.Fatal(err)
	}
	const account = "night"
	key := base64.StdEncoding.EncodeToString(secret)
	address := startAzurite(t, account, key)
	credential, err := azblob.NewSharedKeyCredential(account, key)
	if err != nil {
		t.Fatal(err)
	}
	client, err := azblob.NewClientWithSharedKeyCredential("http://"+address+"/"+account, credential, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateContainer(t.Context(), "night", nil); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AZURE_STORAGE_ACCOUNT": account, "AZURE_STORAGE_KEY": key, "AZURE_STORAGE_DOMAIN": address, "AZURE_STORAGE_PROTOCOL": "http",
		"AZURE_STORAGE_IS_LOCAL_EMULATOR": "true",
	} {
		t.Setenv(name, value)
	}
	keepsObjects(t, "azblob://night/deep/er", func(name string) error {
		_, err := client.ServiceClient().NewContainerClient("night").NewBlobClient(name).GetProperties(t.Context(), nil)
		return err
	})
}
