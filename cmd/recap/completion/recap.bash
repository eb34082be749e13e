# Completion of recap in bash:  source <(recap completion bash)
# The program itself answers: "recap complete WORDS" prints the candidates for the last word, one a
# line, each with a description after a tab. A line :files or :dirs asks for names of files.

_recap() {
	local IFS=$'\n' line words=() current=${COMP_WORDS[COMP_CWORD]} word
	# bash divides words at = and : too, so divide the line here, at spaces alone.
	line=${COMP_LINE:0:COMP_POINT}
	IFS=$' \t\n' read -r -a words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	word=${words[${#words[@]} - 1]}
	[[ $current == [=:] ]] && current=
	local before=${word%"$current"} # what bash does not replace

	COMPREPLY=()
	while IFS=$'\t' read -r line _; do
		case $line in
		:files) compopt -o filenames && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$current") ;;
		:dirs) compopt -o filenames && mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -d -- "$current") ;;
		*)
			[[ $line == *= ]] && compopt -o nospace
			COMPREPLY+=("${line#"$before"}")
			;;
		esac
	done < <("${words[0]}" complete "${words[@]:1}" 2>/dev/null)
}

complete -F _recap recap
