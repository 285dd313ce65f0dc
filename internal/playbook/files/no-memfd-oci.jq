# jq -f no-memfd-oci.jq default.json > no-memfd.json     (nodes with arm64: add --arg arch arm64)
# default.json is Docker's own profile (github.com/moby/profiles, seccomp/default.json). Kubernetes
# takes a plain OCI profile: Docker's conditions would not be read there, and what they guard would
# be allowed. So calls that need a capability are left out: for pods that drop all capabilities.
["memfd_create"] as $denied | 38 as $errno
| ($ARGS.named.arch // "amd64") as $arch
| {amd64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
   arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]}[$arch] as $architectures
| if $architectures then . else error("arch is amd64 or arm64") end
| {defaultAction, defaultErrnoRet, architectures: $architectures,
   syscalls: ([.syscalls[]
     | select((.includes.caps // []) == [])
     | select(.includes.arches == null or (.includes.arches | index($arch)))
     | select((.excludes.arches // []) | index($arch) | not)
     | .names -= $denied | select(.names != [])
     | {names, action} + if .args then {args} else {} end
       + if .errnoRet then {errnoRet} else {} end]
     + [{names: $denied, action: "SCMP_ACT_ERRNO", errnoRet: $errno}])}
