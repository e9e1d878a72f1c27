namespace Carina.Harness;

/// <summary>The laboratory, or the driver in it, did not do what was expected; says what and shows the evidence.</summary>
public sealed class HarnessException : Exception
{
    public HarnessException(string message)
        : base(message)
    {
    }

    public HarnessException(string message, Exception? cause)
        : base(message, cause)
    {
    }

    public HarnessException()
    {
    }
}
