# SPDX-License-Identifier: Apache-2.0
# fish completion for fgrun

set -l commands run ps inspect logs stop events pull images image prune warm secret usage network keys bench info version help

function __fgrun_ids
    fgrun --quiet ps $argv 2>/dev/null | awk 'NR > 1 { print $1 "\t" $2 " " $3 }'
end

complete -c fgrun -l host -x -d 'fgd to talk to'
complete -c fgrun -l token -x -d 'Its bearer token'
complete -c fgrun -l json -d 'Print JSON'
complete -c fgrun -s q -l quiet -d 'No progress, states or phases'
complete -c fgrun -l help -d 'Show the options'

complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'run' -d 'Run a task definition'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'ps' -d 'List tasks'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'inspect' -d 'Show a task'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'logs' -d 'Print what a task wrote'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'stop' -d 'Stop tasks'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'events' -d 'Show changes of state'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'pull' -d 'Fetch images'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'images' -d 'List images'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'image' -d 'Remove images'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'prune' -d 'Remove what is not used'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'warm' -d 'Keep guests with an image mounted'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'secret' -d 'Store, print and remove secrets'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'usage' -d 'Show usage and cost'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'keys' -d 'Make, list and revoke access keys'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'bench' -d 'Compare microVMs with containers'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'info' -d 'Show the host'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'network' -d 'Show addresses and ports'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'version' -d 'Show the version'
complete -c fgrun -f -n "not __fish_seen_subcommand_from $commands" -a 'help' -d "Show a command's options"
complete -c fgrun -n "not __fish_seen_subcommand_from $commands" -a '(__fish_complete_suffix .json)'

complete -c fgrun -n '__fish_seen_subcommand_from run' -a '(__fish_complete_suffix .json)'
complete -c fgrun -n '__fish_seen_subcommand_from run' -s d -l detach -d 'Print the id'
complete -c fgrun -n '__fish_seen_subcommand_from run' -l override -r -d 'Overrides'
complete -c fgrun -n '__fish_seen_subcommand_from run' -l isolation -x -a 'microvm container' -d 'How it is isolated'
complete -c fgrun -n '__fish_seen_subcommand_from run' -l max-run-time -x -d 'Stop it after'
complete -c fgrun -n '__fish_seen_subcommand_from run' -l started-by -x -d 'Recorded'
complete -c fgrun -n '__fish_seen_subcommand_from run' -l group -x -d 'Group'
complete -c fgrun -n '__fish_seen_subcommand_from run' -l tag -x -d 'KEY=VALUE'
complete -c fgrun -n '__fish_seen_subcommand_from run' -s p -l publish -x -d '[ADDR:]HOST[-HOST]:CONTAINER[-CONTAINER][/udp]'
complete -c fgrun -n '__fish_seen_subcommand_from run' -l phases -d 'Print phases and cost'

complete -c fgrun -f -n '__fish_seen_subcommand_from ps' -s a -l all -d 'Stopped ones too'
complete -c fgrun -f -n '__fish_seen_subcommand_from ps' -l status -x -a 'PROVISIONING PENDING ACTIVATING RUNNING DEACTIVATING STOPPING DEPROVISIONING STOPPED'
complete -c fgrun -f -n '__fish_seen_subcommand_from ps' -l family -x

complete -c fgrun -f -n '__fish_seen_subcommand_from inspect logs' -a '(__fgrun_ids -a)'
complete -c fgrun -f -n '__fish_seen_subcommand_from stop' -a '(__fgrun_ids)'
complete -c fgrun -f -n '__fish_seen_subcommand_from logs' -s f -l follow -d 'Until it has stopped'
complete -c fgrun -f -n '__fish_seen_subcommand_from logs' -l container -x
complete -c fgrun -f -n '__fish_seen_subcommand_from logs' -l since -x
complete -c fgrun -f -n '__fish_seen_subcommand_from logs' -s t -l timestamps -d 'Time before each line'
complete -c fgrun -f -n '__fish_seen_subcommand_from stop' -l reason -x
complete -c fgrun -f -n '__fish_seen_subcommand_from stop' -l wait -d 'Until they have stopped'
complete -c fgrun -f -n '__fish_seen_subcommand_from events' -s f -l follow -d 'Those still to come'
complete -c fgrun -f -n '__fish_seen_subcommand_from events' -l since -x -d 'After this one'

complete -c fgrun -f -n '__fish_seen_subcommand_from keys' -a 'create list revoke'
complete -c fgrun -f -n '__fish_seen_subcommand_from keys' -l name -x -d 'What it is called'
complete -c fgrun -n '__fish_seen_subcommand_from keys' -l policy -r -d 'JSON'
complete -c fgrun -f -n '__fish_seen_subcommand_from keys' -l allow -x -d 'What it may do'
complete -c fgrun -f -n '__fish_seen_subcommand_from keys' -l deny -x -d 'What it may not do'
complete -c fgrun -f -n '__fish_seen_subcommand_from keys' -l cluster -x -d 'Only there'
complete -c fgrun -f -n '__fish_seen_subcommand_from bench' -l quick -d 'Fewer runs'
complete -c fgrun -f -n '__fish_seen_subcommand_from bench' -l budget -x -d 'MiB that idle instances are fitted into'
complete -c fgrun -f -n '__fish_seen_subcommand_from bench' -l image -x -d 'Measure its first run too'
complete -c fgrun -n '__fish_seen_subcommand_from bench' -l json -r -d 'Write every sample'
complete -c fgrun -n '__fish_seen_subcommand_from bench' -l html -r -d 'Write a page'
complete -c fgrun -n '__fish_seen_subcommand_from bench' -l from -r -d 'Show this result, measure nothing'
complete -c fgrun -f -n '__fish_seen_subcommand_from info' -l aws-env -d 'Assignments for the AWS CLI'
complete -c fgrun -f -n '__fish_seen_subcommand_from image' -a rm
complete -c fgrun -f -n '__fish_seen_subcommand_from secret' -a 'create get list rm'
complete -c fgrun -n '__fish_seen_subcommand_from secret' -l file -r -d 'Take the value from'
complete -c fgrun -f -n '__fish_seen_subcommand_from secret' -l description -x
complete -c fgrun -f -n '__fish_seen_subcommand_from secret' -l arn -x
complete -c fgrun -f -n '__fish_seen_subcommand_from secret' -l replace -d 'A new version'
complete -c fgrun -f -n '__fish_seen_subcommand_from secret' -l days -x -d 'Only in N days'
complete -c fgrun -f -n '__fish_seen_subcommand_from prune' -s a -l all -d 'Stopped tasks too'
complete -c fgrun -f -n '__fish_seen_subcommand_from prune' -s y -l yes -d 'Do not ask'
complete -c fgrun -f -n '__fish_seen_subcommand_from warm' -x -l count -d 'So many guests'
complete -c fgrun -f -n '__fish_seen_subcommand_from warm' -x -l cpu -d 'For tasks of this size'
complete -c fgrun -f -n '__fish_seen_subcommand_from warm' -x -l memory -d 'For tasks of this size'
complete -c fgrun -f -n '__fish_seen_subcommand_from warm' -l off -d 'No more'
complete -c fgrun -f -n '__fish_seen_subcommand_from usage' -l by -x -a 'task family day'
complete -c fgrun -f -n '__fish_seen_subcommand_from usage' -l since -x
complete -c fgrun -f -n '__fish_seen_subcommand_from usage' -l until -x
complete -c fgrun -f -n '__fish_seen_subcommand_from help' -a "$commands"
