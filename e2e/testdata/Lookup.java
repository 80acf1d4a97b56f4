import java.net.InetAddress;

public class Lookup {
    public static void main(String[] args) {
        try {
            System.out.println("ok " + InetAddress.getByName("db.internal").getHostAddress());
        } catch (Exception e) {
            System.out.println(e);
        }
    }
}
