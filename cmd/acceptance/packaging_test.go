//go:build acceptance

package acceptance_test

import (
	"archive/tar"
	"compress/gzip"
	"debug/elf"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const packagingTools = "packaging/requirements.txt"

func TestTheContainerfileAndTheScriptsPassTheirLinters(t *testing.T) {
	bin := python(t, packagingTools)
	execute(t, "../../deploy", nil, filepath.Join(bin, "hadolint"), "Containerfile")
	execute(t, "../..", nil, filepath.Join(bin, "shellcheck"), "deploy/release", ".ci/run")
	execute(t, "../../deploy", nil, filepath.Join(bin, "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml")
}

func TestTheKubernetesManifestsAreValid(t *testing.T) {
	bin := python(t, packagingTools)
	manifests, err := filepath.Glob("../../deploy/kubernetes/*.yaml")
	require.NoError(t, err)
	resources := 0
	for _, manifest := range manifests {
		if filepath.Base(manifest) == "kustomization.yaml" {
			continue // not a Kubernetes resource; it lists the others
		}
		for _, version := range []string{"1.31", "1.37"} {
			output := execute(t, ".", nil, filepath.Join(bin, "kubernetes-validate"), "--strict", "--kubernetes-version", version, manifest)
			resources += strings.Count(output, " passed for resource ")
		}
		list, err := os.ReadFile("../../deploy/kubernetes/kustomization.yaml")
		require.NoError(t, err)
		assert.Contains(t, string(list), "- "+filepath.Base(manifest)+"\n")
	}
	assert.Equal(t, 14, resources)
}

// Two builds of the same source in different folders have the same bytes, and the binary is
// static.
func TestTheReleaseIsReproducible(t *testing.T) {
	release, sums := reproducibleRelease(t, "TARGETS=linux/amd64", "PACKAGES=npm")
	assert.Contains(t, sums, "  clientele_1.2.3_linux_amd64.tar.gz\n")
	assert.Contains(t, sums, "  clientele_1.2.3_linux_amd64.cdx.json\n")
	assert.Contains(t, sums, "  clientele-oidc-provider-1.2.3.tgz\n")

	program := extract(t, filepath.Join(release, "clientele_1.2.3_linux_amd64.tar.gz"), "clientele_1.2.3_linux_amd64/clientele")
	file, err := elf.Open(program)
	require.NoError(t, err)
	defer func() { _ = file.Close() }()
	for _, part := range file.Progs {
		assert.NotEqual(t, elf.PT_INTERP, part.Type, "it is linked dynamically")
	}
	assert.Equal(t, "clientele 1.2.3\n", execute(t, ".", nil, program, "version"))
}

// reproducibleRelease builds the release 1.2.3 twice, and returns its folder and checksums.
func reproducibleRelease(t *testing.T, env ...string) (dir, sums string) {
	t.Helper()
	all := make([]string, 2)
	for i := range all {
		source := filepath.Join(t.TempDir(), strings.Repeat("deep/", i), "source")
		execute(t, ".", nil, "git", "clone", "--quiet", "--depth", "1", "file://"+root(t), source)
		dir = filepath.Join(source, "dist", "release")
		execute(t, source, append([]string{"VERSION=1.2.3"}, env...), "deploy/release")
		text, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
		require.NoError(t, err)
		all[i] = string(text)
	}
	require.Equal(t, all[0], all[1])
	return dir, all[1]
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	require.NoError(t, err)
	return dir
}

// extract extracts a program from an archive and returns its path.
func extract(t *testing.T, archive, name string) string {
	t.Helper()
	packed, err := os.Open(archive)
	require.NoError(t, err)
	defer func() { _ = packed.Close() }()
	unpacked, err := gzip.NewReader(packed)
	require.NoError(t, err)
	for files := tar.NewReader(unpacked); ; {
		header, err := files.Next()
		require.NoError(t, err, "%s is not in %s", name, archive)
		if header.Name != name {
			continue
		}
		text, err := io.ReadAll(files)
		require.NoError(t, err)
		program := filepath.Join(t.TempDir(), "program")
		require.NoError(t, os.WriteFile(program, text, 0o700))
		return program
	}
}
