namespace Carina.Silo.Tests.Fencing;

/// <summary>
/// One at a time: what was not scanned yet is found by the name of a volume's file, which is the same on every node of these
/// tests; one would cut off another's.
/// </summary>
[CollectionDefinition(Name)]
public sealed class FileNodeCollection
{
    public const string Name = "Nodes with volumes in files that can be fenced";
}
