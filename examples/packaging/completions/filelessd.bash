# Completion of filelessd for bash. Generated from its commands; do not edit.
# shellcheck shell=bash

_filelessd() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} at="" words="" i
	# --flag=value is three words to bash.
	if [[ $cur == = ]]; then
		cur=""
	elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case "$at ${COMP_WORDS[i]}" in
		' run' | ' demo' | ' analyze' | ' check' | ' simulate' | ' status' | ' reload' | ' deadletters' | ' deadletters list' | ' deadletters show' | ' deadletters retry' | ' deadletters drop' | ' explain' | ' silence' | ' silence add' | ' silence list' | ' silence expire' | ' store' | ' store check' | ' store compact' | ' store export' | ' sinks' | ' sinks list' | ' sinks example' | ' test-sink' | ' convert' | ' completion' | ' version') at+=" ${COMP_WORDS[i]}" ;;
		' run -c' | ' run --config' | ' run --linger' | ' analyze -c' | ' analyze --config' | ' analyze -o' | ' analyze --output' | ' analyze -d' | ' analyze --dir' | ' check -c' | ' check --config' | ' simulate --socket' | ' simulate --events' | ' simulate --rate' | ' simulate --count' | ' status -c' | ' status --config' | ' status --data-dir' | ' status -o' | ' status --output' | ' reload -c' | ' reload --config' | ' reload --data-dir' | ' reload -o' | ' reload --output' | ' deadletters list -c' | ' deadletters list --config' | ' deadletters list --data-dir' | ' deadletters list -o' | ' deadletters list --output' | ' deadletters list --sink' | ' deadletters list --since' | ' deadletters list --id' | ' deadletters show -c' | ' deadletters show --config' | ' deadletters show --data-dir' | ' deadletters show -o' | ' deadletters show --output' | ' deadletters show --sink' | ' deadletters show --since' | ' deadletters show --id' | ' deadletters retry -c' | ' deadletters retry --config' | ' deadletters retry --data-dir' | ' deadletters retry -o' | ' deadletters retry --output' | ' deadletters retry --sink' | ' deadletters retry --since' | ' deadletters retry --id' | ' deadletters drop -c' | ' deadletters drop --config' | ' deadletters drop --data-dir' | ' deadletters drop -o' | ' deadletters drop --output' | ' deadletters drop --sink' | ' deadletters drop --since' | ' deadletters drop --id' | ' explain -c' | ' explain --config' | ' explain --data-dir' | ' explain -o' | ' explain --output' | ' silence add -c' | ' silence add --config' | ' silence add --data-dir' | ' silence add -o' | ' silence add --output' | ' silence add --reason' | ' silence add --author' | ' silence add --for' | ' silence add --until' | ' silence list -c' | ' silence list --config' | ' silence list --data-dir' | ' silence list -o' | ' silence list --output' | ' silence expire -c' | ' silence expire --config' | ' silence expire --data-dir' | ' silence expire -o' | ' silence expire --output' | ' store check -c' | ' store check --config' | ' store check --data-dir' | ' store check -o' | ' store check --output' | ' store compact -c' | ' store compact --config' | ' store compact --data-dir' | ' store compact -o' | ' store compact --output' | ' store export -c' | ' store export --config' | ' store export --data-dir' | ' store export -o' | ' store export --output' | ' store export --since' | ' sinks -o' | ' sinks --output' | ' sinks list -o' | ' sinks list --output' | ' test-sink -c' | ' test-sink --config' | ' test-sink -o' | ' test-sink --output' | ' convert --env' | ' convert --through' | ' convert --rest' | ' convert -o' | ' convert --output' | ' version -o' | ' version --output') ((i++)) ;;
		esac
	done
	case "$at $prev" in
	' run -c' | ' run --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' run --linger')
		COMPREPLY=()
		return
		;;
	' analyze -c' | ' analyze --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' analyze -o' | ' analyze --output')
		mapfile -t COMPREPLY < <(compgen -W 'markdown text html json ecs ocsf cef' -- "$cur")
		return
		;;
	' analyze -d' | ' analyze --dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' check -c' | ' check --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' simulate --socket')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' simulate --events')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' simulate --rate')
		COMPREPLY=()
		return
		;;
	' simulate --count')
		COMPREPLY=()
		return
		;;
	' status -c' | ' status --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' status --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' status -o' | ' status --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' reload -c' | ' reload --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' reload --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' reload -o' | ' reload --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' deadletters list -c' | ' deadletters list --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' deadletters list --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' deadletters list -o' | ' deadletters list --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' deadletters list --sink')
		COMPREPLY=()
		return
		;;
	' deadletters list --since')
		COMPREPLY=()
		return
		;;
	' deadletters list --id')
		COMPREPLY=()
		return
		;;
	' deadletters show -c' | ' deadletters show --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' deadletters show --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' deadletters show -o' | ' deadletters show --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' deadletters show --sink')
		COMPREPLY=()
		return
		;;
	' deadletters show --since')
		COMPREPLY=()
		return
		;;
	' deadletters show --id')
		COMPREPLY=()
		return
		;;
	' deadletters retry -c' | ' deadletters retry --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' deadletters retry --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' deadletters retry -o' | ' deadletters retry --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' deadletters retry --sink')
		COMPREPLY=()
		return
		;;
	' deadletters retry --since')
		COMPREPLY=()
		return
		;;
	' deadletters retry --id')
		COMPREPLY=()
		return
		;;
	' deadletters drop -c' | ' deadletters drop --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' deadletters drop --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' deadletters drop -o' | ' deadletters drop --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' deadletters drop --sink')
		COMPREPLY=()
		return
		;;
	' deadletters drop --since')
		COMPREPLY=()
		return
		;;
	' deadletters drop --id')
		COMPREPLY=()
		return
		;;
	' explain -c' | ' explain --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' explain --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' explain -o' | ' explain --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' silence add -c' | ' silence add --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' silence add --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' silence add -o' | ' silence add --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' silence add --reason')
		COMPREPLY=()
		return
		;;
	' silence add --author')
		COMPREPLY=()
		return
		;;
	' silence add --for')
		COMPREPLY=()
		return
		;;
	' silence add --until')
		COMPREPLY=()
		return
		;;
	' silence list -c' | ' silence list --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' silence list --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' silence list -o' | ' silence list --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' silence expire -c' | ' silence expire --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' silence expire --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' silence expire -o' | ' silence expire --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' store check -c' | ' store check --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' store check --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' store check -o' | ' store check --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' store compact -c' | ' store compact --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' store compact --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' store compact -o' | ' store compact --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' store export -c' | ' store export --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' store export --data-dir')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	' store export -o' | ' store export --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' store export --since')
		COMPREPLY=()
		return
		;;
	' sinks -o' | ' sinks --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' sinks list -o' | ' sinks list --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' test-sink -c' | ' test-sink --config')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' test-sink -o' | ' test-sink --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	' convert --env')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' convert --through')
		COMPREPLY=()
		return
		;;
	' convert --rest')
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	' convert -o' | ' convert --output')
		mapfile -t COMPREPLY < <(compgen -W 'yaml json' -- "$cur")
		return
		;;
	' version -o' | ' version --output')
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		return
		;;
	esac
	case $at in
	'')
		if [[ $cur == -* ]]; then
			words='-h --help'
		else
			words='run demo analyze check simulate status reload deadletters explain silence store sinks test-sink convert completion version'
		fi
		;;
	' run')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --linger'
		else
			words=''
		fi
		;;
	' demo')
		if [[ $cur == -* ]]; then
			words='-h --help --once'
		else
			words=''
		fi
		;;
	' analyze')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config -o --output -d --dir --all --explain'
		else
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
			return
		fi
		;;
	' check')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --connect'
		else
			words=''
		fi
		;;
	' simulate')
		if [[ $cur == -* ]]; then
			words='-h --help --socket --events --rate --count --text'
		else
			words=''
		fi
		;;
	' status')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output'
		else
			words=''
		fi
		;;
	' reload')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output'
		else
			words=''
		fi
		;;
	' deadletters')
		if [[ $cur == -* ]]; then
			words='-h --help'
		else
			words='list show retry drop'
		fi
		;;
	' deadletters list')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output --sink --since --id'
		else
			words=''
		fi
		;;
	' deadletters show')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output --sink --since --id'
		else
			words=''
		fi
		;;
	' deadletters retry')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output --sink --since --id'
		else
			words=''
		fi
		;;
	' deadletters drop')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output --sink --since --id --all'
		else
			words=''
		fi
		;;
	' explain')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output'
		else
			words=''
		fi
		;;
	' silence')
		if [[ $cur == -* ]]; then
			words='-h --help'
		else
			words='add list expire'
		fi
		;;
	' silence add')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output --reason --author --for --until'
		else
			words=''
		fi
		;;
	' silence list')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output'
		else
			words=''
		fi
		;;
	' silence expire')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output'
		else
			words=''
		fi
		;;
	' store')
		if [[ $cur == -* ]]; then
			words='-h --help'
		else
			words='check compact export'
		fi
		;;
	' store check')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output'
		else
			words=''
		fi
		;;
	' store compact')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output'
		else
			words=''
		fi
		;;
	' store export')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config --data-dir -o --output --since'
		else
			words=''
		fi
		;;
	' sinks')
		if [[ $cur == -* ]]; then
			words='-h --help -o --output'
		else
			words='list example'
		fi
		;;
	' sinks list')
		if [[ $cur == -* ]]; then
			words='-h --help -o --output'
		else
			words=''
		fi
		;;
	' sinks example')
		if [[ $cur == -* ]]; then
			words='-h --help'
		else
			words=''
		fi
		;;
	' test-sink')
		if [[ $cur == -* ]]; then
			words='-h --help -c --config -o --output'
		else
			words=''
		fi
		;;
	' convert')
		if [[ $cur == -* ]]; then
			words='-h --help --env --through --rest -o --output'
		else
			words=''
		fi
		;;
	' completion')
		if [[ $cur == -* ]]; then
			words='-h --help'
		else
			words='bash zsh fish'
		fi
		;;
	' version')
		if [[ $cur == -* ]]; then
			words='-h --help -o --output'
		else
			words=''
		fi
		;;
	*) return ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}

complete -F _filelessd filelessd
