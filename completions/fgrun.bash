# SPDX-License-Identifier: Apache-2.0
# bash completion for fgrun

_fgrun_ids() {
        fgrun --quiet ps "$@" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_fgrun() {
        local cur=${COMP_WORDS[COMP_CWORD]} command="" word i
        local commands="run ps inspect logs stop events pull images image prune warm secret usage network keys bench info version help"
        local global="--host --token --json --quiet --help"

        for ((i = 1; i < COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                [[ $word == -* || ${COMP_WORDS[i - 1]} == --host || ${COMP_WORDS[i - 1]} == --token ]] && continue
                command=$word
                break
        done
        COMPREPLY=()
        case $command:$cur in
        :-*) COMPREPLY=($(compgen -W "$global --detach --phases --version" -- "$cur")) ;;
        :*) COMPREPLY=($(compgen -W "$commands" -- "$cur") $(compgen -f -X '!*.json' -- "$cur") $(compgen -d -S / -- "$cur")) ;;
        run:-*) COMPREPLY=($(compgen -W "$global --detach --override= --isolation= --max-run-time= --started-by= --group= --tag= --publish= --phases" -- "$cur")) ;;
        run:*) COMPREPLY=($(compgen -f -X '!*.json' -- "$cur") $(compgen -d -S / -- "$cur")) ;;
        ps:-*) COMPREPLY=($(compgen -W "$global --all --status= --family=" -- "$cur")) ;;
        inspect:-*) COMPREPLY=($(compgen -W "$global" -- "$cur")) ;;
        logs:-*) COMPREPLY=($(compgen -W "$global --follow --container= --since= --timestamps" -- "$cur")) ;;
        stop:-*) COMPREPLY=($(compgen -W "$global --reason= --wait" -- "$cur")) ;;
        stop:*) COMPREPLY=($(compgen -W "$(_fgrun_ids)" -- "$cur")) ;;
        inspect:* | logs:*) COMPREPLY=($(compgen -W "$(_fgrun_ids -a)" -- "$cur")) ;;
        events:*) COMPREPLY=($(compgen -W "$global --follow --since=" -- "$cur")) ;;
        prune:*) COMPREPLY=($(compgen -W "$global --all --yes" -- "$cur")) ;;
        warm:*) COMPREPLY=($(compgen -W "$global --count= --cpu= --memory= --off" -- "$cur")) ;;
        usage:*) COMPREPLY=($(compgen -W "$global --by=task --by=family --by=day --since= --until=" -- "$cur")) ;;
        secret:-*) COMPREPLY=($(compgen -W "$global --file= --description= --arn= --replace --days=" -- "$cur")) ;;
        secret:*) COMPREPLY=($(compgen -W "create get list rm" -- "$cur")) ;;
        keys:-*) COMPREPLY=($(compgen -W "$global --name= --policy= --allow= --deny= --cluster=" -- "$cur")) ;;
        keys:*) COMPREPLY=($(compgen -W "create list revoke" -- "$cur")) ;;
        bench:-*) COMPREPLY=($(compgen -W "$global --quick --budget= --image= --json= --html= --from=" -- "$cur")) ;;
        info:-*) COMPREPLY=($(compgen -W "$global --aws-env" -- "$cur")) ;;
        image:*) COMPREPLY=($(compgen -W "rm" -- "$cur")) ;;
        help:*) COMPREPLY=($(compgen -W "$commands" -- "$cur")) ;;
        *:-*) COMPREPLY=($(compgen -W "$global" -- "$cur")) ;;
        esac
        [[ ${COMPREPLY[0]} == *= || ${COMPREPLY[0]} == */ ]] && compopt -o nospace
        return 0
}

complete -F _fgrun fgrun
