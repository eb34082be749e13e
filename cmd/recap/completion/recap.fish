# Completion of recap in fish:  recap completion fish | source
# The program itself answers: "recap complete WORDS" prints the candidates for the last word, one a
# line, each with a description after a tab. A line :files or :dirs asks for names of files.

function __recap_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l current (commandline -ct)
    set -l flag (string match -r -- '^--[^=]+=' $current)
    set -l path (string replace -r -- '^--[^=]+=' '' $current)
    for line in ($words[1] complete $words[2..-1] 2>/dev/null)
        switch $line
            case ':files'
                printf '%s\n' "$flag"(__fish_complete_path $path)
            case ':dirs'
                printf '%s\n' "$flag"(__fish_complete_directories $path '')
            case '*'
                printf '%s\n' $line
        end
    end
end

complete -c recap -f -a '(__recap_complete)'
