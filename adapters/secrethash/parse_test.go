package secrethash

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/clientele-oauth/clientele/application"
	"github.com/clientele-oauth/clientele/domain"
)

// Vectors of other programs. Those of Hydra are from ory/x, hasherx/hasher_test.go; the
// others were made with Python 3.11: hashlib, passlib 1.7.4, argon2-cffi 25.1 and
// bcrypt 4.0.1.
const vectorValue = "GeheimesWort-4711_fuer.Clientele"

var vectors = map[string]struct{ hash, value string }{
	"Hydra's PBKDF2":                {"$pbkdf2-sha256$i=100000,l=32$1jP+5Zxpxgtee/iPxGgOz0RfE9/KJuDElP1ley4VxXc$QJxzfvdbHYBpydCbHoFg3GJEqMFULwskiuqiJctoYpI", "test"},
	"Hydra's bcrypt":                {"$2a$12$o6hx.Wog/wvFSkT/Bp/6DOxCtLRTDj7lm9on9suF/WaCGNVHbkfL6", "test"},
	"Hydra's Argon2id":              {"$argon2id$v=19$m=32,t=5,p=4$cm94YnRVOW5jZzFzcVE4bQ$fBxypOL0nP/zdPE71JtAV71i487LbX3fJI5PoTN6Lp4", "test"},
	"Argon2id with a short hash":    {"$argon2id$v=19$m=32,t=2,p=4$cm94YnRVOW5jZzFzcVE4bQ$MNzk5BtR2vUhrp6qQEjRNw", "test"},
	"argon2-cffi":                   {"$argon2id$v=19$m=512,t=2,p=2$vbYWAxuwD/l71S9SWSOwfg$dMCLdL6SVpg4kyemk6R96csP9MKuQ5p8", vectorValue},
	"argon2, as Spring writes it":   {"{argon2@SpringSecurity_v5_8}$argon2id$v=19$m=512,t=2,p=2$vbYWAxuwD/l71S9SWSOwfg$dMCLdL6SVpg4kyemk6R96csP9MKuQ5p8", vectorValue},
	"PBKDF2 with SHA-256":           {"$pbkdf2-sha256$i=2500,l=32$MDEyMzQ1Njc4OWFiY2RlZvv/$NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0", vectorValue},
	"PBKDF2 without a length":       {"$pbkdf2-sha256$i=2500$MDEyMzQ1Njc4OWFiY2RlZvv/$NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0", vectorValue},
	"PBKDF2 with SHA-512":           {"$pbkdf2-sha512$i=2500,l=64$MDEyMzQ1Njc4OWFiY2RlZvv/$/YLeh6Kql2F+dHhgRs7X2AGdRqPPnWqP1e5Uluy6WnM8oORES571NdrYN+AamE9gzg5uzR4pCs6XKpYei5yaxg", vectorValue},
	"passlib's PBKDF2 with SHA-256": {"$pbkdf2-sha256$2000$cGFzc2xpYiBzYWx0IDI1Nvv/$7LjoWOlyDw/MB3sz3.j0RcE.5uBteo53yCT2ZxoXzyI", vectorValue},
	"passlib's PBKDF2 with SHA-512": {"$pbkdf2-sha512$2000$cGFzc2xpYiBzYWx0IDUxMvv/$GUFKwDM93BmVbZP8zruto.9qSlmFp3M.zKVkfaWI9tshXovDjmafqF3XiPMPM.bPHr/TJczTL2D0gDTv7AjJxA", vectorValue},
	"passlib's scrypt":              {"$scrypt$ln=10,r=8,p=2$cGFzc2xpYiBzY3J5cHQgc/v/$basbh3/RAujKLUn26rAIM2PdtOXX4W7Xp9bVdksYLyo", vectorValue},
	"bcrypt 2b":                     {"$2b$05$ZGNItasYRE0M/7CquQwI7O1Mxj8NDGG1MQpptpTRSLTqXM2zzeHFS", vectorValue},
	"bcrypt 2a":                     {"$2a$05$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K", vectorValue},
	"bcrypt 2y, as PHP writes it":   {"$2y$05$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K", vectorValue},
	"bcrypt, as Spring writes it":   {"{bcrypt}$2b$05$ZGNItasYRE0M/7CquQwI7O1Mxj8NDGG1MQpptpTRSLTqXM2zzeHFS", vectorValue},
}

func TestHashesOfOtherProgramsVerify(t *testing.T) {
	hashes := New(2)
	for name, v := range vectors {
		t.Run(name, func(t *testing.T) {
			imported, err := hashes.Parse(v.hash)
			require.NoError(t, err)
			assert.Empty(t, imported.SHA256)
			for value, want := range map[string]bool{v.value: true, v.value + "x": false, v.value[1:]: false, "": false, v.hash: false} {
				valid, err := hashes.Verify(t.Context(), "t", "c", imported.Slow, value)
				require.NoError(t, err)
				assert.Equal(t, want, valid, "%q", value)
			}
			again, err := hashes.Parse(imported.Slow)
			require.NoError(t, err, "what is stored can be imported again")
			assert.Equal(t, imported, again)
		})
	}
}

func TestSHA256IsReadInEveryForm(t *testing.T) {
	secret, _ := domain.NewSecret("s", [domain.SecretEntropy]byte{1}, domain.Pepper{}, now)
	for name, hash := range map[string]string{
		"hexadecimal":     secret.HashText(),
		"upper case":      strings.ToUpper(secret.HashText()),
		"Spring Security": "{SHA-256}" + secret.HashText(),
	} {
		imported, err := New(1).Parse(hash)
		require.NoError(t, err, name)
		assert.Equal(t, domain.ImportedHash{SHA256: secret.Hash}, imported, name)
	}
	for _, hash := range []string{
		"0e658262850776c1d3226ae4d36de87212a2dfab542bb2939eae0997bb2da3f1",
		"DmWCYoUHdsHTImrk023ochKi36tUK7KTnq4Jl7sto/E=",
		"DmWCYoUHdsHTImrk023ochKi36tUK7KTnq4Jl7sto/E",
		"DmWCYoUHdsHTImrk023ochKi36tUK7KTnq4Jl7sto_E=",
		"DmWCYoUHdsHTImrk023ochKi36tUK7KTnq4Jl7sto_E",
	} { // of vectorValue, by hashlib
		imported, err := New(1).Parse(hash)
		require.NoError(t, err, hash)
		assert.Equal(t, "0e658262850776c1d3226ae4d36de87212a2dfab542bb2939eae0997bb2da3f1", domain.Secret{Hash: imported.SHA256}.HashText())
	}
}

func TestHashesThatCannotBeUsedAreRejected(t *testing.T) {
	const salt, hash = "MDEyMzQ1Njc4OWFiY2Rl", "NcPXZZEfugsHOW1ZLVhdYelAl57UDVUu0+NIKlGScM0"
	long := strings.Repeat("A", 87)
	for rule, texts := range map[string][]string{
		domain.RuleSecretHashSyntax: {
			"", "x", "$", "$$$$", "plain-secret", strings.Repeat("a", 513), "{noop}secret", "{MD5}d41d8cd98f00b204e9800998ecf8427e",
			"{SHA-256}", "{SHA-256}{c2FsdA}0e658262850776c1d3226ae4d36de87212a2dfab542bb2939eae0997bb2da3f1", strings.Repeat("0", 63) + "g",
			"$2x$05$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K", "$2a$05$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/",
			"$2a$5$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/KK", "$2", "$2a$05$",
			"$md5$" + salt + "$" + hash, "$argon2i$v=19$m=64,t=2,p=1$" + salt + "$" + hash, "$argon2id$m=64,t=2,p=1$" + salt + "$" + hash,
			"$argon2id$v=16$m=64,t=2,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=64,t=2$" + salt + "$" + hash,
			"$argon2id$v=19$m=64,t=2,p=1,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=64,t=2,p=1,x=1$" + salt + "$" + hash,
			"$argon2id$v=19$m=99999999999,t=2,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=-1,t=2,p=1$" + salt + "$" + hash,
			"$argon2id$v=19$m=64,t=2,p=1$!$" + hash, "$argon2id$v=19$m=64,t=2,p=1$" + salt + "$!", "$argon2id$v=19$m=64,t=2,p=1$" + salt,
			"$pbkdf2-sha256$i=2500,l=31$" + salt + "$" + hash, "$pbkdf2-sha256$l=32$" + salt + "$" + hash, "$pbkdf2-sha256$$" + salt + "$" + hash,
			"$pbkdf2-sha384$i=2500$" + salt + "$" + hash, "$pbkdf2-sha1$i=2500$" + salt + "$" + hash, "$pbkdf2$2500$" + salt + "$" + hash,
			"$pbkdf2-sha256$i=2500$" + salt + "==$" + hash, "$scrypt$16$" + salt + "$" + hash, "$scrypt$ln=14,r=8$" + salt + "$" + hash,
			"{bcrypt}" + "plain", "{argon2}plain", "DmWCYoUHdsHTImrk023ochKi36tUK7KTnq4Jl7sto/E=\n", "$pbkdf2-sha256$i=2500$" + salt + "\n$" + hash,
		},
		domain.RuleSecretHashBounds: {
			"$2a$03$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K", "$2a$15$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K",
			"$2a$99$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K",
			"$argon2id$v=19$m=131073,t=1,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=131072,t=5,p=1$" + salt + "$" + hash,
			"$argon2id$v=19$m=64,t=17,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=64,t=0,p=1$" + salt + "$" + hash,
			"$argon2id$v=19$m=64,t=1,p=0$" + salt + "$" + hash, "$argon2id$v=19$m=1024,t=1,p=17$" + salt + "$" + hash,
			"$argon2id$v=19$m=15,t=1,p=2$" + salt + "$" + hash, "$argon2id$v=19$m=64,t=1,p=1$AAAA$" + hash,
			"$argon2id$v=19$m=64,t=1,p=1$" + long + "$" + hash, "$argon2id$v=19$m=64,t=1,p=1$" + salt + "$AAAA",
			"$argon2id$v=19$m=64,t=1,p=1$" + salt + "$" + long,
			"$pbkdf2-sha256$i=999$" + salt + "$" + hash, "$pbkdf2-sha512$i=1000001$" + salt + "$" + hash, "$pbkdf2-sha256$4294967295$" + salt + "$" + hash,
			"$scrypt$ln=18,r=8,p=1$" + salt + "$" + hash, "$scrypt$ln=0,r=8,p=1$" + salt + "$" + hash, "$scrypt$ln=17,r=9,p=1$" + salt + "$" + hash,
			"$scrypt$ln=14,r=8,p=17$" + salt + "$" + hash, "$scrypt$ln=14,r=33,p=1$" + salt + "$" + hash, "$scrypt$ln=4294967295,r=1,p=1$" + salt + "$" + hash,
			"$scrypt$ln=14,r=0,p=1$" + salt + "$" + hash,
		},
	} {
		for _, text := range texts {
			_, err := New(1).Parse(text)
			var invalid *application.InvalidError
			require.ErrorAs(t, err, &invalid, text)
			require.Len(t, invalid.Findings, 1, text)
			found := invalid.Findings[0]
			assert.Equal(t, []string{rule, "/secret_hash"}, []string{found.Rule, found.Pointer}, "%s: %s", text, found.Message)
			assert.NotContains(t, found.Message, "plain-secret", "a message must not repeat what may be a secret")
			assert.False(t, matches(text, "test"))
		}
	}
	for _, text := range []string{ // the bounds themselves
		"$argon2id$v=19$m=131072,t=4,p=1$" + salt + "$" + hash, "$argon2id$v=19$m=32768,t=16,p=16$" + salt + "$" + hash,
		"$scrypt$ln=17,r=8,p=1$" + salt + "$" + hash, "$pbkdf2-sha512$i=1000000$" + salt + "$" + hash, "$pbkdf2-sha512$i=1000$" + salt + "$" + hash,
		"$2b$14$9K0Gl4NmZcbkl6LbDKXIquYBM2Z2Tjne0lcLrVxyTL2HxYASyk1/K",
	} {
		_, err := New(1).Parse(text)
		require.NoError(t, err, text)
	}
}

// bcrypt ignores what is beyond 72 bytes.
func TestBcryptMatchesNoLongValue(t *testing.T) {
	value := strings.Repeat("x", 72)
	hash := bcryptOf(t, value)
	assert.True(t, matches(hash, value))
	assert.False(t, matches(hash, value+"y"))
}

// HMAC pads keys with U+0000, and bcrypt repeats its key after U+0000: without the check,
// another value than the secret would match.
func TestAValueWithANULMatchesNothing(t *testing.T) {
	const pbkdf2Hash = "$pbkdf2-sha256$i=25000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$C6eHolnrFtsYqUHk3B7SPcjLRMf60suLh8GZNOz48lE"
	const secret = "Zk3vQ9xT7mB2nL5pR8wYcD4f"
	assert.True(t, matches(pbkdf2Hash, secret))
	assert.False(t, matches(pbkdf2Hash, secret+"\x00"))
	hash := bcryptOf(t, "abcd")
	assert.True(t, matches(hash, "abcd"))
	assert.False(t, matches(hash, "abcd\x00abcd"))
}

// Whatever is accepted is read again as the same hash, and has bounded parameters.
func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.hash)
	}
	f.Add("{SHA-256}0e658262850776c1d3226ae4d36de87212a2dfab542bb2939eae0997bb2da3f1")
	f.Fuzz(func(t *testing.T, text string) {
		imported, err := New(1).Parse(text)
		if err != nil {
			var invalid *application.InvalidError
			require.ErrorAs(t, err, &invalid)
			return
		}
		require.NotEqual(t, len(imported.SHA256) == 0, imported.Slow == "", "exactly one")
		if imported.Slow == "" {
			require.Len(t, imported.SHA256, 32)
			return
		}
		again, err := New(1).Parse(imported.Slow)
		require.NoError(t, err)
		require.Equal(t, imported, again)
		algorithm := domain.Secret{SlowHash: imported.Slow}.Algorithm()
		require.Contains(t, []string{"argon2id", "bcrypt", "pbkdf2-sha256", "pbkdf2-sha512", "scrypt"}, algorithm)
		for _, c := range imported.Slow {
			require.True(t, ' ' < c && c <= '~', "%q", c)
		}
	})
}
