# jq -f no-memfd.jq default.json > no-memfd.json
# default.json is Docker's own profile (github.com/moby/profiles, seccomp/default.json). A profile
# of this one entry alone would drop all its other protection. 38 is ENOSYS: programs fall back.
(.syscalls[].names) -= ["memfd_create"]
| .syscalls += [{names: ["memfd_create"], action: "SCMP_ACT_ERRNO", errnoRet: 38}]
