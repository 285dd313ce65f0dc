package playbook

import (
	_ "embed" // the files stand beside this one as they are offered
	"strings"
)

// The files that mitigations offer, as they are to be copied. Each is accepted as it stands by what
// reads it (internal/tools/readers tries them all). Where a value of an alert may take the place of
// a placeholder, the placeholder is accepted too.
var (
	//go:embed files/60-memfd.conf
	memfdSysctl string
	//go:embed files/60-ptrace.conf
	ptraceSysctl string
	//go:embed files/proc-mem.cfg
	procMemCfg string
	//go:embed files/dev-shm.fstab
	devShmFstab string

	//go:embed files/no-memfd.jq
	noMemfdJQ string
	//go:embed files/no-memfd-oci.jq
	noMemfdOCI string
	//go:embed files/no-inject.jq
	noInjectJQ string
	//go:embed files/compose.yaml
	composeFile string
	//go:embed files/pod.yaml
	podFile string
	//go:embed files/quarantine.yaml
	quarantineYAML string
	//go:embed files/quarantine.nft
	quarantineNft string
	//go:embed files/docker-limited.slice
	limitedSlice string

	//go:embed files/service-memfd.conf
	serviceMemfd string
	//go:embed files/service-noexec.conf
	serviceNoexec string
	//go:embed files/service-preload.conf
	servicePreload string
	//go:embed files/service-inject.conf
	serviceInject string
	//go:embed files/apparmor-noexec
	apparmorNoexec string
	//go:embed files/apparmor-inject
	apparmorInject string

	//go:embed files/falco-memfd.yaml
	falcoMemfd string
	//go:embed files/falco-fd.yaml
	falcoFD string
	//go:embed files/falco-deleted.yaml
	falcoDeleted string
	//go:embed files/falco-volatile.yaml
	falcoVolatile string
	//go:embed files/falco-inject.yaml
	falcoInject string
	//go:embed files/falco-preload.yaml
	falcoPreload string
	//go:embed files/falco-loader.yaml
	falcoLoader string

	//go:embed files/audit-memfd.rules
	auditMemfd string
	//go:embed files/audit-volatile.rules
	auditVolatile string
	//go:embed files/audit-inject.rules
	auditInject string
	//go:embed files/tetragon-memfd.yaml
	tetragonMemfd string
	//go:embed files/tetragon-inject.yaml
	tetragonInject string
	//go:embed files/sigma-memfd.yml
	sigmaMemfd string
	//go:embed files/sigma-fd.yml
	sigmaFD string
	//go:embed files/sigma-deleted.yml
	sigmaDeleted string
	//go:embed files/sigma-volatile.yml
	sigmaVolatile string
	//go:embed files/sigma-loader.yml
	sigmaLoader string
)

// Variants of the files above, made once: of another seccomp profile, or of none.
var (
	noInjectOCI = replace(noMemfdOCI,
		"no-memfd", "no-inject", `["memfd_create"]`, `["ptrace", "process_vm_writev"]`, "38 as", "1 as")
	composeInject = replace(composeFile, "no-memfd.json", "no-inject.json")
	composePlain  = replace(composeFile, "      - seccomp=./no-memfd.json\n", "")
	podInject     = replace(podFile, "no-memfd.json", "no-inject.json")
	podPlain      = replace(podFile,
		"type: Localhost", "type: RuntimeDefault", "      localhostProfile: profiles/no-memfd.json\n", "")
)

func replace(s string, oldnew ...string) string { return strings.NewReplacer(oldnew...).Replace(s) }

// Placeholders of the files.
const (
	imagePlaceholder     = "registry.example.com/team/app@sha256:0000000000000000000000000000000000000000000000000000000000000000"
	imageNote            = "# A placeholder: the image to run, by its digest.\n"
	namespacePlaceholder = "  # A placeholder: the namespace of the pod.\n  namespace: example\n"
)

// Media types of the files.
const (
	yamlType  = "application/yaml"
	iniType   = "text/x-ini"
	plainType = "text/plain"
)
