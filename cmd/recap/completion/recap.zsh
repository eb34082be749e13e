#compdef recap
# Completion of recap in zsh:  source <(recap completion zsh), or as the file _recap in a folder of
# $fpath. The program itself answers: "recap complete WORDS" prints the candidates for the last word,
# one a line, each with a description after a tab. A line :files or :dirs asks for names of files.

_recap() {
	local line value text
	local -a values texts keys
	for line in "${(@f)$("${words[1]}" complete "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
		value=${line%%$'\t'*} text=${line#*$'\t'}
		case $value in
		'') ;;
		:files) compset -P '--[^=]#=' ; _files ;;
		:dirs) compset -P '--[^=]#=' ; _files -/ ;;
		*=) keys+=("$value") ;;
		*)
			values+=("$value")
			[[ $line == *$'\t'* ]] && texts+=("$value  -- $text") || texts+=("$value")
			;;
		esac
	done
	(( $#keys )) && compadd -S '' -a keys
	(( $#values )) && compadd -l -d texts -a values
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
	_recap "$@"
else
	compdef _recap recap
fi
