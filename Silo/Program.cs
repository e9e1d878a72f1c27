using Carina.Silo.Fencing.Guard;
using Carina.Silo.Hosting;

if (args is [GuardProcess.Verb, .. var rest])
    await GuardProcess.Build(rest).RunAsync();
else
    await CarinaSilo.Build(args).RunAsync();
