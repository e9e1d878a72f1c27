using Xunit.Sdk;
using Xunit.v3;

// Every collection has a cluster of several processes; two at a time would only wait for each other.
[assembly: Parallelization(Mode = ParallelMode.None)]
