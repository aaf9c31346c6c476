package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	strongValue = "Vq3yT8mZpL0aKsX7bN4eRw" // 22 characters of base64
	slowHash    = "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2Rl$NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0"
)

func importedClient(t *testing.T, hash ImportedHash) Client {
	t.Helper()
	client, err := clientWithSecrets(t, 0).IssueSecret(ImportSecret("s1", hash, testNow), testNow)
	require.NoError(t, err)
	return client
}

func sha256Of(value string) []byte {
	sum := sha256.Sum256([]byte(value))
	return sum[:]
}

func TestAnImportedSHA256Verifies(t *testing.T) {
	client := importedClient(t, ImportedHash{SHA256: sha256Of("old secret")})
	id, ok := client.VerifySecret("old secret", []Pepper{testPepper}, testNow)
	assert.True(t, ok)
	assert.Equal(t, "s1", id)
	assert.Empty(t, client.SlowSecrets(testNow))
	assert.Empty(t, client.SecretLastFour(testNow))
}

func TestASlowHashIsVerifiedElsewhere(t *testing.T) {
	client := importedClient(t, ImportedHash{Slow: slowHash})
	for _, value := range []string{"", slowHash, "value"} {
		_, ok := client.VerifySecret(value, []Pepper{testPepper, {}}, testNow)
		assert.False(t, ok, "an empty hash matches nothing")
	}
	own, _ := secretOf(2, testNow)
	client, err := client.IssueSecret(own, testNow)
	require.NoError(t, err)
	slow := client.SlowSecrets(testNow)
	require.Len(t, slow, 1)
	assert.Equal(t, "s1", slow[0].ID)
	assert.Len(t, client.LiveSecrets(testNow), 2)

	next, _ := secretOf(3, testNow)
	rotated, err := client.RotateSecret(next, time.Hour, testNow)
	require.NoError(t, err)
	assert.Len(t, rotated.SlowSecrets(testNow.Add(time.Hour-1)), 1, "in the grace period it is live")
	assert.Empty(t, rotated.SlowSecrets(testNow.Add(time.Hour)))
	assert.Len(t, rotated.LiveSecrets(testNow.Add(time.Hour)), 1)

	suspended, findings := reviseClient(testBook(t, Policy{}), client, ChangeOf(Settings{Status: StatusSuspended}), KeysUnexamined(), testNow)
	require.False(t, findings.HasViolations())
	assert.Empty(t, suspended.LiveSecrets(testNow))
	deleted, err := client.Delete(testNow)
	require.NoError(t, err)
	assert.Empty(t, deleted.LiveSecrets(testNow))
}

func TestAdoptedSecrets(t *testing.T) {
	weak := "hunter2"
	for name, tt := range map[string]struct {
		hash     ImportedHash
		value    string
		pepper   Pepper
		adopted  bool
		lastFour string
	}{
		"a slow hash of a random value":                   {ImportedHash{Slow: slowHash}, strongValue, Pepper{}, true, "4eRw"},
		"a slow hash of a random value, under a pepper":   {ImportedHash{Slow: slowHash}, strongValue, testPepper, true, "4eRw"},
		"a slow hash of a value that can be guessed":      {ImportedHash{Slow: slowHash}, weak, testPepper, false, ""},
		"SHA-256 of a random value":                       {ImportedHash{SHA256: sha256Of(strongValue)}, strongValue, Pepper{}, true, "4eRw"},
		"SHA-256 of a value that can be guessed":          {ImportedHash{SHA256: sha256Of(weak)}, weak, Pepper{}, false, ""},
		"SHA-256 of a value that can be guessed, pepper":  {ImportedHash{SHA256: sha256Of(weak)}, weak, testPepper, true, ""},
		"a random value that ends with several bytes":     {ImportedHash{Slow: slowHash}, strongValue + "äöüß", Pepper{}, true, "äöüß"},
		"a random value that ends with a control":         {ImportedHash{Slow: slowHash}, strongValue + "ab\x00d", Pepper{}, true, ""},
		"a random value that ends with something invalid": {ImportedHash{Slow: slowHash}, strongValue + "ab\xffd", Pepper{}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := importedClient(t, tt.hash)
			before := client.State()
			after, adopted := client.AdoptSecret("s1", tt.value, tt.pepper)
			assert.Equal(t, tt.adopted, adopted)
			assert.Equal(t, before.Secrets, client.State().Secrets, "the client of before is as it was")
			assert.Equal(t, before.Revision, after.Revision())
			assert.Equal(t, before.UpdatedAt, after.UpdatedAt())
			assert.Equal(t, tt.lastFour, after.SecretLastFour(testNow))
			if !tt.adopted {
				assert.Equal(t, before, after.State())
				return
			}
			id, ok := after.VerifySecret(tt.value, []Pepper{tt.pepper}, testNow)
			assert.True(t, ok)
			assert.Equal(t, "s1", id)
			assert.Empty(t, after.SlowSecrets(testNow))
			again, adopted := after.AdoptSecret("s1", tt.value, tt.pepper)
			assert.False(t, adopted, "the second time nothing is left to do")
			assert.Equal(t, after.State(), again.State())
		})
	}
	client := importedClient(t, ImportedHash{Slow: slowHash})
	_, adopted := client.AdoptSecret("other", strongValue, Pepper{})
	assert.False(t, adopted, "there is no such secret")
	own, value := secretOf(2, testNow)
	client, err := client.IssueSecret(own, testNow)
	require.NoError(t, err)
	_, adopted = client.AdoptSecret("s2", value, Pepper{})
	assert.False(t, adopted, "it is the registry's own")
}

func TestWhichValuesCouldBeGuessed(t *testing.T) {
	for value, strong := range map[string]bool{
		"":                                     false,
		"secret":                               false,
		"correct horse battery":                false,
		strongValue:                            true,
		strongValue[:21]:                       false,
		strings.Repeat("a", 200):               false, // a repetition
		strings.Repeat("abcdefg", 20):          false,
		"0123456789abcdef0123456789abcdef":     true, // 128 bits in hexadecimal digits
		"0123456789abcdef0123456789abcde":      false,
		"123456789012345678901234567890123456": false,
		"bbe1f9a0-0d0c-4b3f-9a53-1c7f4b9d7a60": true,  // as Keycloak made them
		"Aq1sW2dE3fR4tG5hY6jU7kI8lO9pZ0xC":     true,  // as Keycloak makes them
		"A.b-C_d~E1f2G3h4I5j6K7l8M9":           true,  // as Hydra makes them
		"ABCDEFGHIJKLMNOPQRSTUVWXYZ":           false, // 26 of 26 characters
		"ABCDEFGHIJKLMNOPQRSTUVWXYZAB":         true,  // it looks random
		"abcdefabcdefabcdefabcdefabcdef":       false, // six different characters
		"äöüßéèêëñçøåäöüßéèêëñçøå":             false, // what alphabet this is from is unknown
		ownValue(t):                            true,  // the registry's own
		hex.EncodeToString(sha256Of("x"))[:32]: true,
	} {
		assert.Equal(t, strong, mostBits(value) >= minFastBits, "%q: %f bits", value, mostBits(value))
	}
}

// ownValue returns a value that the registry made.
func ownValue(t *testing.T) string {
	t.Helper()
	_, value := secretOf(1, testNow)
	return value
}

func TestAlgorithmsOfHashes(t *testing.T) {
	own, _ := secretOf(1, testNow)
	plain, _ := NewSecret("s", [SecretEntropy]byte{1}, Pepper{}, testNow)
	for want, secret := range map[string]Secret{
		"hmac-sha-256": own, "sha-256": plain, "argon2id": {SlowHash: slowHash}, "bcrypt": {SlowHash: "$2y$10$x"},
		"pbkdf2-sha512": {SlowHash: "$pbkdf2-sha512$i=1$a$b"}, "scrypt": {SlowHash: "$scrypt$ln=1,r=1,p=1$a$b"},
	} {
		assert.Equal(t, want, secret.Algorithm())
	}
	assert.Equal(t, hex.EncodeToString(own.Hash), own.HashText())
	assert.Equal(t, slowHash, Secret{SlowHash: slowHash}.HashText())
}
